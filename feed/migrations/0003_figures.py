from django.db import migrations, models

from storage.migrating import CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [
        ('feed', '0002_decisions'),
    ]

    operations = [
        CreateModelOnce(
            name='FigureSample',
            fields=[
                ('slot', models.BigIntegerField(primary_key=True, serialize=False)),
                ('figures', models.JSONField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
