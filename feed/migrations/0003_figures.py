from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('feed', '0002_decisions'),
    ]

    operations = [
        migrations.CreateModel(
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
