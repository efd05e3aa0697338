from django.db import migrations, models

from storage.migrating import AddIndexOnce, CreateModelOnce


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_restoring'),
    ]

    operations = [
        CreateModelOnce(
            name='AccountChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.BigIntegerField()),
                ('digests', models.TextField(blank=True, default='')),
                ('at_us', models.BigIntegerField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        AddIndexOnce(
            model_name='accountchange',
            index=models.Index(fields=['at_us', 'id'], name='account_changes_by_time'),
        ),
    ]
